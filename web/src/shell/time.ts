import { useLive } from '../events/live';

const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const minute = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', timeZone: 'UTC',
});

// asDay and asMinute write a time of the server. All times are UTC: the house may have sites in several zones.
export const asDay = (t?: string) => (t ? day.format(new Date(t)) : '');
export const asMinute = (t?: string) => (t ? `${minute.format(new Date(t))} UTC` : '');

// useIsPast compares with the house's clock, which is not this computer's.
export function useIsPast(): (t?: string) => boolean {
  const { at } = useLive();
  return (t) => !!t && !!at && new Date(t) < new Date(at);
}

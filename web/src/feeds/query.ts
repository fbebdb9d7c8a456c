import { useQuery } from '@tanstack/react-query';
import { answer, api } from '../api/client';

const progress = 1000; // ms, while documents are read: no event counts them
const age = 60_000; // ms: no event tells that a document has grown too old

// useFeeds reads all feeds. waiting: something was asked for that may not show yet.
export function useFeeds(waiting = false) {
  return useQuery({
    queryKey: ['feeds'], queryFn: ({ signal }) => answer(api.GET('/api/v1/feeds', { signal })),
    refetchInterval: (q) => (waiting || q.state.data?.importing?.length ? progress : age),
  });
}

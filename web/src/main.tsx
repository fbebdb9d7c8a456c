import './mantine.css';
import './app.css';
import { MantineProvider } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Route, Switch } from 'wouter';
import { useToken } from './api/session';
import { Device } from './devices/Device';
import { Devices } from './devices/Devices';
import { Feeds } from './feeds/Feeds';
import { Today } from './next/Today';
import { Notices } from './recipients/Notices';
import { Rollout } from './rollouts/Rollout';
import { Rollouts } from './rollouts/Rollouts';
import { LogIn } from './shell/LogIn';
import { Shell } from './shell/Shell';
import { text } from './text';

const queries = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: 10_000, refetchOnWindowFocus: true } } });

function App() {
  const secret = useToken();
  if (!secret) {
    queries.clear(); // the next person sees nothing of this one's
    return <LogIn />;
  }
  return (
    <Shell secret={secret}>
      <Switch>
        <Route path="/" component={Today} />
        <Route path="/devices" component={Devices} />
        <Route path="/devices/:id">{({ id }) => <Device id={decodeURIComponent(id)} key={id} />}</Route>
        <Route path="/rollouts" component={Rollouts} />
        <Route path="/rollouts/:id">{({ id }) => <Rollout id={decodeURIComponent(id)} key={id} />}</Route>
        <Route path="/feeds" component={Feeds} />
        <Route path="/notices" component={Notices} />
        <Route><p className="page">{text.notFound}</p></Route>
      </Switch>
    </Shell>
  );
}

// Styles come from files alone: the content security policy refuses style elements, which the provider would
// otherwise make for its variables and classes.
createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <MantineProvider defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
        <App />
      </MantineProvider>
    </QueryClientProvider>
  </StrictMode>,
);

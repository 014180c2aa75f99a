// Who is signed in, the frame around the pages, and which page it is.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, inChannel } from './lib/api';
import { ChannelContext, MeContext } from './lib/context';
import { useLoad } from './lib/hooks';
import { type Params, currentPlace, go, href, match, usePlace } from './lib/router';
import { currentKey, mayAdmin, ofServer, session, signOut } from './lib/session';
import { useStore } from './lib/store';
import { type Theme, setTheme, theme } from './lib/theme';
import type { Channel, Me } from './lib/types';
import { SignIn } from './pages/sign-in';
import { type Route, routes } from './routes';
import { Button, Id, LinkButton, Text } from './ui/basics';
import { Choose } from './ui/form';
import { Icon, Logo } from './ui/icons';
import { Empty, ErrorBox, Page, Skeleton } from './ui/page';
import { Toasts } from './ui/toast';

export function App() {
  const { me, ended } = useStore(session);
  return (
    <>
      {me ? <Frame me={me} /> : currentKey() ? <Resume /> : <SignIn ended={ended} />}
      <Toasts />
    </>
  );
}

// A key is there from before the page was loaded: who is it?
function Resume() {
  const who = useLoad((signal) => api.get<Me>('/v1/me', undefined, signal), []);
  useEffect(() => {
    if (who.data?.role === 'ingest') signOut();
    else if (who.data) session.set({ me: who.data, ended: null });
  }, [who.data]);
  return (
    <main class="sign-in">
      <span class="brand"><Logo />Pushwire</span>
      <div class="card">
        <div class="card-body stack">
          <h1>Signing in</h1>
          {who.error ? <ErrorBox error={who.error} retry={who.reload} /> : <Skeleton rows={2} />}
          <Button onClick={() => signOut()}>Sign in with another key</Button>
        </div>
      </div>
    </main>
  );
}

interface Found {
  route: Route;
  params: Params;
}

function findRoute(path: string): Found | null {
  for (const route of routes) {
    const params = match(route.path, path);
    if (params) return { route, params };
  }
  return null;
}

function mayOpen(me: Me, { route, params }: Found): boolean {
  if (route.who === 'admin') return mayAdmin(me);
  if (route.who === 'server') return ofServer(me);
  return ofServer(me) || params.c === me.channel;
}

const home = (me: Me) => (me.channel === null ? href() : href('c', me.channel));

function Frame({ me }: { me: Me }) {
  const { path } = usePlace();
  const [open, setOpen] = useState(false);
  const found = findRoute(path);
  const channelId = found?.params.c ?? me.channel;
  // A channel's key has one home: the pages of the whole server are not for it.
  const elsewhere = !ofServer(me) && (path === '/' || (found !== null && !mayOpen(me, found)));

  useEffect(() => {
    setOpen(false);
    if (elsewhere && currentPlace().path === path) go(home(me), { replace: true });
  }, [path]);

  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent) => event.key === 'Escape' && setOpen(false);
    addEventListener('keydown', close);
    return () => removeEventListener('keydown', close);
  }, [open]);

  return (
    <MeContext.Provider value={me}>
      <a class="skip" href="#content" onClick={(event) => {
        event.preventDefault(); // the address is for pages
        document.getElementById('content')?.focus();
      }}>Skip to the content</a>
      <div class="frame">
        <header class="top">
          <a class="brand" href={home(me)}><Logo />Pushwire</a>
          <Button kind="quiet" icon="menu" expanded={open} label="Menu" onClick={() => setOpen(!open)} />
        </header>
        {open && <div class="veil" onClick={() => setOpen(false)} />}
        <WithChannel id={channelId}>
          <Side me={me} open={open} path={path} found={found} channelId={channelId} onClose={() => setOpen(false)} />
          <main id="content" tabIndex={-1}>
            {!elsewhere && <Content key={path} me={me} found={found} />}
          </main>
        </WithChannel>
      </div>
    </MeContext.Provider>
  );
}

function WithChannel({ id, children }: { id: string | null; children: ComponentChildren }) {
  const channel = useLoad<Channel | null>(
    (signal) => (id === null ? Promise.resolve(null) : api.get<Channel>(inChannel(id), undefined, signal)), [id]);
  return (
    <ChannelContext.Provider value={channel}>{children}</ChannelContext.Provider>
  );
}

function Content({ me, found }: { me: Me; found: Found | null }) {
  if (!found || !mayOpen(me, found)) {
    const why = found ? 'This page needs an admin key.' : 'There is no page at this address.';
    return (
      <Page title={found ? 'Not with this key' : 'No such page'}>
        <div class="card"><Empty title={why} icon="stop" action={<LinkButton to={home(me)}>Back to the start</LinkButton>} /></div>
      </Page>
    );
  }
  const Opened = found.route.page;
  return <Opened params={found.params} />;
}

// ---- the menu ----

const THEMES = [['light', 'sun', 'Light'], ['dark', 'moon', 'Dark'], ['system', 'screen', 'As the system']] as const;

function Side({ me, open, path, found, channelId, onClose }: {
  me: Me; open: boolean; path: string; found: Found | null; channelId: string | null; onClose: () => void;
}) {
  const chosen = useStore(theme);
  const marked = found?.route.under ?? found?.route.path;
  const entries = (of: (route: Route) => boolean) => routes.filter((route) => route.nav && of(route));
  const link = (route: Route) => {
    const to = `#${route.path.replace(':c', encodeURIComponent(channelId ?? ''))}`;
    return (
      <a key={route.path} href={to} aria-current={marked === route.path ? 'page' : undefined}
        onClick={() => to === `#${path}` && onClose()}>
        <Icon name={route.nav!.icon} />{route.nav!.text}
      </a>
    );
  };
  return (
    <div class={`side${open ? ' open' : ''}`}>
      <a class="brand" href={home(me)}><Logo />Pushwire</a>
      {ofServer(me) && (
        <nav aria-label="Server">
          <div class="side-title">Server</div>
          {entries(({ who }) => who === 'server' || (who === 'admin' && mayAdmin(me))).map(link)}
        </nav>
      )}
      {channelId !== null && (
        <nav aria-label="Channel">
          <ChannelTitle id={channelId} />
          {entries(({ who }) => who === undefined).map(link)}
        </nav>
      )}
      <div class="side-foot">
        <Choose label="Colours" value={chosen} onChange={(next: Theme) => setTheme(next)}
          choices={THEMES.map(([value, icon, text]) => [value, <><Icon name={icon} size={15} /><span class="hidden">{text}</span></>])} />
        <div class="muted">
          <strong>{me.role}</strong> <Id>{me.key}</Id>
        </div>
        <div class="row">
          <Button small icon="out" onClick={() => signOut()}>Sign out</Button>
          <span class="muted">
            <a href={document.body.dataset.licences} target="_blank" rel="noreferrer">Version {me.version}</a>
          </span>
        </div>
      </div>
    </div>
  );
}

function ChannelTitle({ id }: { id: string }) {
  return (
    <ChannelContext.Consumer>
      {(channel) => <div class="side-title"><Text>{channel?.data?.name ?? id}</Text></div>}
    </ChannelContext.Consumer>
  );
}

// One channel at a glance.
import { inChannel } from '../lib/api';
import { useChannel } from '../lib/context';
import { type Params, href } from '../lib/router';
import { Page } from '../ui/page';
import { TrialNote } from './channels';
import { FailingWebhooks } from './failing';
import { LatestNotices } from './notices';
import { Figures, RangeChoice, useRange } from './stats';

export function ChannelPage({ params }: { params: Params }) {
  const id = params.c!;
  const channel = useChannel();
  const [range, setRange] = useRange();
  return (
    <Page title={channel.data?.name ?? id} actions={<RangeChoice range={range} onChange={setRange} />}>
      <TrialNote channel={channel.data} />
      <Figures path={inChannel(id, 'stats')} range={range} />
      <FailingWebhooks channel={id} range={range} />
      <LatestNotices path={inChannel(id, 'notices')} all={href('c', id, 'notices')} withChannel={false} />
    </Page>
  );
}

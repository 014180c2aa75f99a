// The whole server at a glance.
import { useMe } from '../lib/context';
import { href } from '../lib/router';
import { mayAdmin } from '../lib/session';
import { Page } from '../ui/page';
import { FailingWebhooks } from './failing';
import { LatestNotices } from './notices';
import { Figures, RangeChoice, useRange } from './stats';

export function Overview() {
  const [range, setRange] = useRange();
  return (
    <Page title="Overview" actions={<RangeChoice range={range} onChange={setRange} />}>
      <Figures path="/v1/stats" range={range} />
      <FailingWebhooks channel={null} range={range} />
      {mayAdmin(useMe()) && <LatestNotices path="/v1/notices" all={href('notices')} withChannel />}
    </Page>
  );
}

import { Alert } from '@mantine/core';
import { Link } from 'wouter';
import { text } from '../text';
import { useFeeds } from './query';
import { trust } from './state';

// Knowledge says how far the list of today can be trusted, and leads to the feeds.
export function Knowledge({ depth }: { depth: string }) {
  const feeds = useFeeds().data;
  const t = feeds && trust(feeds);
  const bad = !!t && t.troubled.length > 0;
  return (
    <Alert color={bad ? 'red' : 'yellow'} title={text.knowledge}>
      {bad && <p className="strong"><span aria-hidden="true">▲ </span>{text.followedTrouble(t.troubled)}</p>}
      <p>{depth}</p>
      <p><Link href="/feeds">{t?.shallow ? text.shortList(t.missing) : text.howFresh}</Link></p>
    </Alert>
  );
}

import type { Schemas } from '../api/client';
import { Mark, type Tone } from '../shell/Mark';
import { asDay } from '../shell/time';
import { text } from '../text';

type Finding = Schemas['Finding'];

const tone: Record<Finding['verdict'], Tone> = { affected: 'bad', likely: 'warn', possible: 'warn', 'not-affected': 'good' };

// Findings lists what advisories say about one device, each with the tree that tells how the verdict came about.
export function Findings({ findings }: { findings: Finding[] }) {
  const open = findings.filter((f) => f.open);
  const closed = findings.filter((f) => !f.open);
  return (
    <>
      {open.length === 0 && <p className="dim">{text.noFindings}</p>}
      <ul className="plain">{open.map((f) => <One key={f.advisory} finding={f} />)}</ul>
      {closed.length > 0 && (
        <details className="more">
          <summary>{text.closedFindings(closed.length)}</summary>
          <ul className="plain">{closed.map((f) => <One key={f.advisory} finding={f} />)}</ul>
        </details>
      )}
    </>
  );
}

function One({ finding: f }: { finding: Finding }) {
  return (
    <li className="card">
      <div className="row">
        <strong>{f.advisory}</strong>
        <Mark tone={tone[f.verdict]}>{text.verdict[f.verdict]}</Mark>
        {f.exploited && <Mark tone="bad">{text.exploited(asDay(f.exploitedAt))}</Mark>}
        {f.score > 0 && <span className="dim">CVSS {f.score.toFixed(1)}</span>}
        {f.likelihood > 0 && <span className="dim">EPSS {(f.likelihood * 100).toFixed(0)} %</span>}
        <span className="dim">{f.fixedIn ? text.fixedIn(f.fixedIn) : f.noFix ? text.noFixPublished : text.fixUnknown}</span>
        {f.closedAt && <span className="dim">{text.closedOn(asDay(f.closedAt), f.closedBy)}</span>}
      </div>
      {f.explanation && (
        <details className="more">
          <summary>{text.howKnown}</summary>
          <ul className="tree"><Node node={f.explanation} /></ul>
        </details>
      )}
    </li>
  );
}

function Node({ node }: { node: Schemas['Explanation'] }) {
  return (
    <li>
      {node.text} <span className="result">{node.result}</span> {node.source && <span className="dim small">{node.source}</span>}
      {node.children && <ul className="tree">{node.children.map((c, i) => <Node key={i} node={c} />)}</ul>}
    </li>
  );
}

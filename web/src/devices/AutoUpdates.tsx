import { Button } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { answer, api, type Schemas } from '../api/client';
import { Ask, type Question } from '../shell/Ask';
import { Mark } from '../shell/Mark';
import { useMay } from '../shell/Shell';
import { Told } from '../shell/Told';
import { asMinute } from '../shell/time';
import { text } from '../text';

// autoClaim is the evidence of how a device updates itself; the winner stands first.
export const autoClaim = (d: Schemas['DeviceDetail']) => d.claims.find((c) => c.field === 'auto-update');

// hasOwnUpdates tells whether a device updates itself, or could: it said so, or its model card does.
export const hasOwnUpdates = (d: Schemas['DeviceDetail']) => !!autoClaim(d) || d.model.autoUpdate.value === 'on';

// AutoUpdates says whether a device installs by itself what its maker offers, and lets an operator ask it and switch that.
export function AutoUpdates({ detail: d }: { detail: Schemas['DeviceDetail'] }) {
  const may = useMay('operator');
  const [answered, tell] = useState<Schemas['AutoUpdates'] & { before?: string }>(); // before: when the evidence was seen that was known then
  const [question, ask] = useState<Question | null>(null);
  const path = { path: { ref: d.device.id } };
  const claim = autoClaim(d);
  const keep = (a: Schemas['AutoUpdates']) => tell({ ...a, before: claim?.at });
  const look = useMutation({ mutationFn: () => answer(api.GET('/api/v1/devices/{ref}/auto-updates', { params: path })), onSuccess: keep });
  const said = answered && (claim?.at === answered.before || claim?.value === word(answered.on)) ? answered : undefined; // else something newer was seen
  const is = word(said ? said.on : (claim?.value ?? d.model.autoUpdate.value) === 'on');
  const want = is === 'on' ? 'off' : 'on';
  const turn = () =>
    ask({
      title: text.autoSet[want], what: `${text.autoSetWhat[want]} ${text.autoAskedAgain}`, confirm: text.autoSet[want], hasNoWhy: true,
      run: async () => keep(await answer(api.PUT('/api/v1/devices/{ref}/auto-updates', { params: path, body: { on: want === 'on' } }))),
    });
  return (
    <div className="card stack-tight">
      <p role="status">
        <Mark tone={is === 'on' ? 'good' : 'quiet'}>{text.autoState[is]}</Mark> {text.autoIs[is]}{' '}
        <span className="dim">{said ? text.autoSaid(said.on ? said.at : '') : claim ? text.autoSeen(asMinute(claim.at)) : text.autoCard}</span>
      </p>
      <Told error={look.error} />
      {may && (
        <div className="row">
          <Button variant="default" loading={look.isPending} onClick={() => look.mutate()}>{text.autoAsk}</Button>
          {(said || claim) && <Button variant="default" onClick={turn}>{text.autoSet[want]}</Button>}
        </div>
      )}
      <Ask question={question} onClose={() => ask(null)} />
    </div>
  );
}

const word = (on: boolean) => (on ? 'on' : 'off');

import { useId } from 'react';

// Check is a box to tick, with its label and a line of help.
export function Check({ label, help, checked, onChange }: { label: string; help?: string; checked: boolean; onChange: (on: boolean) => void }) {
  const id = useId();
  return (
    <div className="check">
      <label><input type="checkbox" checked={checked} onChange={(e) => onChange(e.currentTarget.checked)} aria-describedby={help && id} /> {label}</label>
      {help && <p id={id} className="dim small">{help}</p>}
    </div>
  );
}

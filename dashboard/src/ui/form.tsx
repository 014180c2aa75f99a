// Fields with their label, hint and error, tied together for everybody.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Problem, messageOf } from '../lib/api';
import { ErrorBox } from './page';
import { Text } from './basics';

interface FieldProps {
  label: string;
  hint?: ComponentChildren;
  error?: string | null;
  optional?: boolean;
}

interface Ids {
  id: string;
  'aria-describedby'?: string;
  'aria-invalid'?: 'true';
}

export function Field({ label, hint, error, optional, children }: FieldProps & { children: (ids: Ids) => ComponentChildren }) {
  const id = useId();
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div class={`field${error ? ' wrong' : ''}`}>
      <label for={id}>{label}{optional && <span class="muted"> (optional)</span>}</label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? 'true' : undefined })}
      {hint && <div class="hint" id={`${id}-hint`}>{hint}</div>}
      {error && <div class="field-error" id={`${id}-error`}><Text>{error}</Text></div>}
    </div>
  );
}

export interface TextFieldProps extends FieldProps {
  value: string;
  onInput: (value: string) => void;
  type?: 'text' | 'url' | 'password' | 'number' | 'search' | 'datetime-local';
  required?: boolean;
  placeholder?: string;
  min?: number | string;
  max?: number | string;
  step?: number | 'any';
  maxLength?: number;
  rows?: number; // more than one line
  focus?: boolean; // at once
  mono?: boolean;
  list?: string[]; // suggestions
}

export function TextField({ value, onInput, type = 'text', rows, focus, mono, list, ...rest }: TextFieldProps) {
  const { label, hint, error, optional, ...input } = rest;
  const at = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const suggestions = useId();
  useEffect(() => {
    if (focus) at.current?.focus();
  }, []);
  const shared = {
    ...input, value, ref: at, dir: 'auto' as const, autocomplete: 'off', spellcheck: false, class: mono ? 'mono' : undefined,
    onInput: (event: { currentTarget: { value: string } }) => onInput(event.currentTarget.value),
  };
  return (
    <Field {...{ label, hint, error, optional }}>
      {(ids) => (rows
        ? <textarea {...shared} {...ids} rows={rows} />
        : (
          <>
            <input {...shared} {...ids} type={type as 'text'} list={list ? suggestions : undefined} />
            {list && <datalist id={suggestions}>{list.map((each) => <option key={each} value={each} />)}</datalist>}
          </>
        ))}
    </Field>
  );
}

export type Choice = readonly [value: string, text: string];

export function SelectField({ value, onChange, choices, ...field }: FieldProps & {
  value: string; onChange: (value: string) => void; choices: readonly Choice[];
}) {
  return (
    <Field {...field}>
      {(ids) => (
        <select {...ids} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
          {choices.map(([each, text]) => <option key={each} value={each}>{text}</option>)}
        </select>
      )}
    </Field>
  );
}

export function Check({ label, hint, checked, onChange }: {
  label: string; hint?: string; checked: boolean; onChange: (checked: boolean) => void;
}) {
  const id = useId();
  return (
    <div class="check">
      <input type="checkbox" id={id} checked={checked} aria-describedby={hint ? `${id}-hint` : undefined}
        onChange={(event) => onChange(event.currentTarget.checked)} />
      <label for={id}>{label}</label>
      {hint && <div class="hint" id={`${id}-hint`}>{hint}</div>}
    </div>
  );
}

export function Group({ legend, hint, error, children }: {
  legend: string; hint?: ComponentChildren; error?: string | null; children: ComponentChildren;
}) {
  return (
    <fieldset class={error ? 'wrong' : undefined}>
      <legend>{legend}</legend>
      {hint && <div class="hint">{hint}</div>}
      {children}
      {error && <div class="field-error" role="alert"><Text>{error}</Text></div>}
    </fieldset>
  );
}

// One choice of a few, side by side: a range, a theme.
export function Choose<T extends string>({ label, value, choices, onChange }: {
  label: string; value: T; choices: readonly (readonly [T, ComponentChildren])[]; onChange: (value: T) => void;
}) {
  const name = useId();
  return (
    <fieldset class="choose">
      <legend class="hidden">{label}</legend>
      {choices.map(([each, text]) => (
        <label key={each}>
          <input type="radio" name={name} value={each} checked={each === value} onChange={() => onChange(each)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

// The part of an error that belongs to a member ("/url", or below it); null = none.
export function errorAt(error: unknown, path: string): string | null {
  if (!(error instanceof Problem) || error.path === null) return null;
  return error.path === path || error.path.startsWith(`${path}/`) ? messageOf(error) : null;
}

// Never sent by the browser itself. `places`: the members whose errors stand at their fields.
export function Form({ onSubmit, error, places = [], children, footer }: {
  onSubmit: () => void; error?: unknown; places?: string[]; children: ComponentChildren; footer: ComponentChildren;
}) {
  const form = useRef<HTMLFormElement>(null);
  const placed = places.some((place) => errorAt(error, place) !== null);
  useEffect(() => {
    if (placed) form.current?.querySelector<HTMLElement>('[aria-invalid="true"], .wrong input')?.focus();
  }, [error]);
  return (
    <form ref={form} noValidate={false} onSubmit={(event) => {
      event.preventDefault();
      onSubmit();
    }}>
      {children}
      {!placed && <ErrorBox error={error} />}
      <div class="row form-foot">{footer}</div>
    </form>
  );
}

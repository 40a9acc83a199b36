import * as ToggleGroup from "@radix-ui/react-toggle-group";
import type { LucideIcon } from "lucide-react";

interface Option<T extends string> {
  value: T;
  name: string;
  Icon?: LucideIcon;
}

interface Props<T extends string> {
  name: string;
  options: readonly Option<T>[];
  value: T;
  onChange: (value: T) => void;
}

/** One of a few options, side by side; arrow keys go between them. */
export function Choice<T extends string>({ name, options, value, onChange }: Props<T>) {
  return (
    <ToggleGroup.Root
      type="single"
      className="choice"
      aria-label={name}
      value={value}
      onValueChange={(next) => next && onChange(next as T)}
    >
      {options.map(({ value: each, name: label, Icon }) => (
        <ToggleGroup.Item key={each} value={each}>
          {Icon && <Icon aria-hidden="true" />}
          {label}
        </ToggleGroup.Item>
      ))}
    </ToggleGroup.Root>
  );
}

// Light, dark, or the system's setting. Stored in this browser.

export type Theme = "system" | "light" | "dark";

const KEY = "outboard.theme";

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

let theme = $state<Theme>(stored());

function show(value: Theme) {
  if (value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = value;
}

export const appearance = {
  get theme(): Theme {
    return theme;
  },
  set theme(value: Theme) {
    theme = value;
    localStorage.setItem(KEY, value);
    show(value);
  },
};

show(stored());

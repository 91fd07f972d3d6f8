// Places the body of an opened evidence beside its word, inside the window, and closes it on a click elsewhere.
function place(details) {
  const body = details.querySelector(".evidence-body");
  const word = details.querySelector("summary").getBoundingClientRect();
  const width = body.offsetWidth;
  const height = body.offsetHeight;
  const left = Math.max(12, Math.min(word.left, innerWidth - width - 12));
  const below = word.bottom + 6;
  const top = below + height > innerHeight - 12 ? Math.max(12, word.top - height - 6) : below;
  body.style.left = `${left}px`;
  body.style.top = `${top}px`;
}

export function watchEvidence() {
  const opened = () => document.querySelectorAll("details[data-evidence][open]");
  document.addEventListener(
    "toggle",
    (event) => {
      const details = event.target;
      if (!details.matches?.("details[data-evidence]") || !details.open) return;
      opened().forEach((other) => other !== details && (other.open = false));
      place(details);
    },
    true,
  );
  document.addEventListener("click", (event) => {
    if (!event.target.closest("details[data-evidence]")) opened().forEach((details) => (details.open = false));
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") opened().forEach((details) => (details.open = false));
  });
  addEventListener("scroll", () => opened().forEach(place), { passive: true, capture: true });
}

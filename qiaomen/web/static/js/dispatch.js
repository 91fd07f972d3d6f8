// Ticking firms on the dispatch pages: tick all, count them, and send a confirmation once only. Works without it, too.
function ticks(form) {
  return [...document.querySelectorAll(`[data-tick][form="${form.id}"]`)];
}

function count(form) {
  const number = ticks(form).filter((box) => box.checked).length;
  form.querySelectorAll("[data-chosen-count]").forEach((place) => {
    place.textContent = number ? `${number} 户` : "尚未勾选";
  });
  form.querySelectorAll("[data-needs-choice]").forEach((button) => (button.disabled = number === 0));
}

function watch(form) {
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-tick-all]")) {
      const rows = event.target.closest("table").querySelectorAll("[data-tick]");
      rows.forEach((box) => (box.checked = event.target.checked));
    }
    if (event.target.matches("[data-tick], [data-tick-all]")) count(form);
  });
  form.addEventListener("submit", () => {
    if (!form.matches("[data-once]")) return;
    // After this event, so that the browser still sends what the button says.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
  // A page that comes back from the browser's memory has its boxes as they were left.
  addEventListener("pageshow", () => count(form));
  count(form);
}

document.querySelectorAll("form[data-choose]").forEach(watch);

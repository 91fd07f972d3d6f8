// The drawn paths: pointing at a path in the list, or at an edge, lights it; an edge opens its evidence.
const drawing = document.querySelector("[data-drawing]");

function light(paths) {
  const wanted = paths ? paths.split(" ") : [];
  drawing.querySelectorAll("[data-paths]").forEach((part) => {
    const on = wanted.some((one) => part.dataset.paths.split(" ").includes(one));
    part.classList.toggle("lit", wanted.length > 0 && on);
    part.classList.toggle("faded", wanted.length > 0 && !on);
  });
}

function say(part) {
  const box = document.getElementById("edge-words");
  if (box && part?.dataset.words) box.textContent = part.dataset.words;
}

if (drawing) {
  document.querySelectorAll("[data-path]").forEach((item) => {
    item.addEventListener("pointerenter", () => light(item.dataset.path));
    item.addEventListener("pointerleave", () => light(""));
    item.addEventListener("focusin", () => light(item.dataset.path));
    item.addEventListener("focusout", () => light(""));
  });
  drawing.querySelectorAll("[data-paths]").forEach((part) => {
    part.addEventListener("pointerenter", () => {
      light(part.dataset.paths);
      say(part);
    });
    part.addEventListener("pointerleave", () => light(""));
    part.addEventListener("focus", () => {
      light(part.dataset.paths);
      say(part);
    });
    part.addEventListener("blur", () => light(""));
  });
}

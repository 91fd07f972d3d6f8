// The task board: drag through the five states, one column at a time on a phone. The server decides what is allowed.
import { showToast } from "./toast.js";

const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"];
const board = document.querySelector("[data-board]");
const sheet = document.getElementById("move-sheet");

function lists() {
  return [...board.querySelectorAll("[data-state-list]")];
}

function setCounts(counts) {
  for (const [state, text] of Object.entries(counts)) {
    board.querySelectorAll(`[data-count="${state}"]`).forEach((place) => (place.textContent = text));
    document.querySelectorAll(`[data-switch-count="${state}"]`).forEach((place) => (place.textContent = text));
  }
}

// What a step asks for; undefined where the card may not take it (then the server says why).
function wanted(state, task) {
  const moves = Object.fromEntries(task.dataset.moves.split(" ").map((move) => move.split(":")));
  return moves[state];
}

// Ask for what a step needs (a reason to close, an amount to land); resolves to the form, or nothing if given up.
function ask(kind, state, task) {
  const form = sheet.querySelector("form");
  form.reset();
  sheet.querySelector("[data-sheet-title]").textContent = `${task.dataset.company} → ${board.dataset[`label${state[0].toUpperCase()}${state.slice(1)}`]}`;
  form.querySelectorAll("[data-for]").forEach((part) => {
    const shown = part.dataset.for.split(" ").includes(kind);
    part.hidden = !shown;
    part.querySelectorAll("input, select, textarea").forEach((field) => (field.disabled = !shown));
  });
  sheet.showModal();
  return new Promise((resolve) => {
    const done = (value) => {
      sheet.removeEventListener("close", cancelled);
      form.removeEventListener("submit", confirmed);
      resolve(value);
    };
    const cancelled = () => done(null);
    const confirmed = (event) => {
      event.preventDefault();
      const data = new FormData(form);
      sheet.removeEventListener("close", cancelled);
      sheet.close();
      done(data);
    };
    sheet.addEventListener("close", cancelled);
    form.addEventListener("submit", confirmed);
  });
}

async function move(task, state, back) {
  const kind = wanted(state, task);
  const data = kind ? await ask(kind, state, task) : new FormData();
  if (!data) return back();
  data.set("to", state);
  data.set("version", task.dataset.version);
  data.set("scope", board.dataset.scope);
  let reply;
  try {
    reply = await fetch(`/tasks/${task.dataset.task}/move`, {
      method: "POST",
      body: data,
      headers: { "X-CSRF-Token": token(), "X-Script": "1" },
    });
  } catch {
    showToast("连不上服务器，任务没有移动", true);
    return back();
  }
  const body = await reply.json();
  if (!reply.ok) {
    showToast([body.detail, body.remedy].filter(Boolean).join("。"), true);
    return back();
  }
  const holder = document.createElement("template");
  holder.innerHTML = body.card.trim();
  const fresh = holder.content.firstElementChild;
  const list = board.querySelector(`[data-state-list="${state}"]`);
  if (task.parentElement === list) task.replaceWith(fresh);
  else {
    task.remove();
    list.prepend(fresh);
  }
  setCounts(body.counts);
  showToast(body.message);
}

function watchDrag() {
  for (const list of lists()) {
    window.Sortable.create(list, {
      group: "tasks",
      animation: 120,
      ghostClass: "task-ghost",
      filter: "button, summary",
      preventOnFilter: false,
      delay: 120,
      delayOnTouchOnly: true,
      sort: false,
      onEnd: ({ item, from, to, oldIndex }) => {
        if (from === to) return;
        const back = () => from.insertBefore(item, from.children[oldIndex] ?? null);
        move(item, to.dataset.stateList, back);
      },
    });
  }
}

function watchButtons() {
  // The same step without dragging: for the keyboard and the phone.
  board.addEventListener("click", (event) => {
    const button = event.target.closest("[data-move-to]");
    if (button) move(button.closest("[data-task]"), button.dataset.moveTo, () => {});
  });
}

function watchSwitcher() {
  const switcher = document.querySelector("[data-board-switch]");
  switcher?.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show-state]");
    if (!button) return;
    switcher.querySelectorAll("[data-show-state]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    board.querySelectorAll(".column").forEach((column) => column.classList.toggle("column-shown", column.dataset.column === button.dataset.showState));
  });
}

if (board) {
  watchDrag();
  watchButtons();
  watchSwitcher();
}

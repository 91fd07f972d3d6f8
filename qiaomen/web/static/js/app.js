// What every page needs: theme switch, Ctrl-K search, evidence placing, sheets, messages.
import { showToast } from "./toast.js";
import { watchEvidence } from "./evidence.js";
import { drawCharts } from "./charts.js";

const root = document.documentElement;

function switchTheme() {
  const next = root.dataset.bsTheme === "dark" ? "light" : "dark";
  root.dataset.bsTheme = next;
  document.cookie = `qiaomen_theme=${next}; path=/; max-age=31536000; samesite=lax`;
  document.dispatchEvent(new CustomEvent("qiaomen:theme"));
}

function watchFinder() {
  const field = document.getElementById("finder");
  const results = document.getElementById("finder-results");
  if (!field || !results) return;
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      field.focus();
      field.select();
    }
    if (event.key === "Escape" && results.childElementCount) results.replaceChildren();
  });
  const move = (event) => {
    if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
    const links = [...results.querySelectorAll("a")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    if (event.key === "Enter") {
      if (at < 0) {
        event.preventDefault();
        links[0].click();
      }
      return;
    }
    event.preventDefault();
    const next = event.key === "ArrowDown" ? at + 1 : at - 1;
    (links[next] ?? field).focus();
  };
  field.addEventListener("keydown", move);
  results.addEventListener("keydown", move);
  document.addEventListener("click", (event) => {
    if (!event.target.closest(".finder")) results.replaceChildren();
  });
}

function watchSheets() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-sheet]");
    if (opener) {
      const sheet = document.getElementById(opener.dataset.sheet);
      for (const [key, value] of Object.entries(opener.dataset)) {
        const field = sheet.querySelector(`[data-from="${key}"]`);
        if (field) field.value !== undefined && field.tagName === "INPUT" ? (field.value = value) : (field.textContent = value);
      }
      const action = opener.dataset.action;
      if (action) sheet.querySelector("form").action = action;
      sheet.showModal();
    }
    const closer = event.target.closest("[data-close]");
    if (closer) closer.closest("dialog").close();
  });
}

// A form that was refused comes back open, as it was typed.
function openSheets() {
  document.querySelectorAll("dialog[data-open]").forEach((sheet) => sheet.showModal());
}

function watchForms() {
  // A filter form sends itself when a choice changes; without scripts its button does.
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form && event.target.matches("select, input[type=checkbox], input[type=radio]")) form.requestSubmit();
  });
}

function watchRequests() {
  document.body.addEventListener("htmx:responseError", (event) => {
    const reply = event.detail.xhr;
    let text = "操作没有完成，请稍后重试";
    try {
      text = JSON.parse(reply.responseText).detail ?? text;
    } catch {
      if (reply.status === 401) location.assign("/login");
    }
    showToast(text, true);
  });
  document.body.addEventListener("htmx:sendError", () => showToast("连不上服务器，请检查网络后重试", true));
  document.body.addEventListener("htmx:afterSwap", () => drawCharts());
}

// On a narrow screen the tabs scroll: the chosen one is brought into view.
function showCurrentTab() {
  document.querySelectorAll(".tabs").forEach((tabs) => {
    const current = tabs.querySelector("[aria-current]");
    if (current) tabs.scrollLeft = current.offsetLeft - (tabs.clientWidth - current.offsetWidth) / 2;
  });
}

document.querySelectorAll("[data-theme-switch]").forEach((button) => button.addEventListener("click", switchTheme));
watchFinder();
watchSheets();
openSheets();
watchForms();
watchEvidence();
watchRequests();
showCurrentTab();
drawCharts();

// Short messages at the corner; they leave by themselves and are read aloud.
export function showToast(text, bad = false) {
  const line = document.createElement("div");
  line.className = bad ? "toast-line toast-bad" : "toast-line";
  line.textContent = text;
  document.getElementById("toasts").append(line);
  setTimeout(() => line.remove(), bad ? 8000 : 4000);
}

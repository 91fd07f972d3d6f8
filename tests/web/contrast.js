// Measures the WCAG 2.x contrast of every visible text on the page against what lies behind it: the backgrounds of its
// ancestors, composed from the page up, with their opacity. Returns the places that fall short.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  // Any colour that CSS can say, as [r, g, b, a]; the browser itself reads it.
  function read(text) {
    if (!known.has(text)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = text;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  }
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  function luminance(colour) {
    const [r, g, b] = colour.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }
  function ratio(one, other) {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  }
  const faded = (colour, by) => [colour[0], colour[1], colour[2], colour[3] * by];
  // Every background that may lie behind an element: several where a gradient does.
  function behind(element) {
    const line = [];
    for (let node = element; node; node = node.parentElement) line.push(node);
    let grounds = [[255, 255, 255, 1]];
    let opacity = 1;
    for (const node of line.reverse()) {
      const style = getComputedStyle(node);
      opacity *= Number(style.opacity);
      grounds = grounds.map((ground) => over(faded(read(style.backgroundColor), opacity), ground));
      const stops = style.backgroundImage.includes("gradient") ? style.backgroundImage.match(/rgba?\([^)]*\)/g) : null;
      if (stops) grounds = grounds.flatMap((ground) => stops.map((stop) => over(faded(read(stop), opacity), ground)));
    }
    return { grounds, opacity };
  }
  const shown = (element) =>
    element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !element.closest("[inert], :disabled, .hidden-text");
  const found = new Map();
  let measured = 0;
  function measure(element, colour, text, style) {
    const { grounds, opacity } = behind(element);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const needed = large ? 3 : 4.5;
    const worst = Math.min(...grounds.map((ground) => ratio(over(faded(read(colour), opacity), ground), ground)));
    measured += 1;
    if (worst >= needed) return;
    const where = `${element.tagName.toLowerCase()}.${[...element.classList].join(".")}`;
    const key = `${where} ${colour}`;
    if (!found.has(key)) found.set(key, `${worst.toFixed(2)} < ${needed} ${where} “${text.slice(0, 24)}” ${colour}`);
  }
  document.getAnimations().forEach((animation) => animation.finish());
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (!text || /^(SCRIPT|STYLE|TEMPLATE|OPTION|OPTGROUP)$/i.test(element.tagName) || !shown(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) continue;
    const style = getComputedStyle(element);
    measure(element, element.closest("svg") ? style.fill : style.color, text, style);
  }
  for (const field of document.querySelectorAll("input, select, textarea")) {
    if (!shown(field) || /^(hidden|checkbox|radio|range|file)$/.test(field.type)) continue;
    const empty = !field.value && field.placeholder;
    const style = getComputedStyle(field, empty ? "::placeholder" : null);
    const words = empty ? field.placeholder : field.value || field.selectedOptions?.[0]?.text || "";
    if (!words) continue;
    const tint = read(style.color);
    const colour = empty ? `rgba(${tint[0]}, ${tint[1]}, ${tint[2]}, ${tint[3] * Number(style.opacity)})` : style.color;
    measure(field, colour, words, getComputedStyle(field));
  }
  return { measured, found: [...found.values()] };
};

"use strict";
// What a browser makes of pages: each is laid out in frames of several widths, light and dark, and looked at.
const LEAST = 4.5; // contrast of text, WCAG 2.1 AA
const parse = (text) => {
  const srgb = text.match(/^color\(srgb ([^)]+)\)/);
  if (srgb) {
    const [r, g, b, a = 1] = srgb[1].replace("/", " ").split(/\s+/).filter(Boolean).map(Number);
    return [255 * r, 255 * g, 255 * b, a];
  }
  const [r, g, b, a = 1] = (text.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  return [r, g, b, a];
};
const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
const light = (color) => {
  const [r, g, b] = color.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
};
const ground = (element, view) => {
  const layers = [];
  for (let at = element; at; at = at.parentElement) layers.push(parse(view.getComputedStyle(at).backgroundColor));
  return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255, 1]);
};
const faint = (document, view) => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let count = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.nodeValue.trim() || element.closest("style, script, title, desc")) continue;
    const style = view.getComputedStyle(element);
    if (!element.getClientRects().length || style.visibility === "hidden") continue;
    const under = ground(element, view);
    const ink = parse(element.ownerSVGElement ? style.fill : style.color);
    const ratio = contrast(over(ink, under), under);
    count += 1;
    if (ratio < LEAST) found.push(walker.currentNode.nodeValue.trim().slice(0, 40) + " " + ratio.toFixed(2));
  }
  return { count, found };
};
const wide = (document, view) => {
  const most = document.documentElement.clientWidth + 1;
  const beyond = [...document.body.querySelectorAll("*")].filter((element) =>
    element.getBoundingClientRect().right > most && !element.closest(".scroll, pre, [popover]"));
  return beyond.slice(0, 5).map((element) => element.tagName + "." + (element.getAttribute("class") || "") + " " + element.textContent.trim().slice(0, 30))
    .concat(document.documentElement.scrollWidth > most ? ["the page itself, " + document.documentElement.scrollWidth] : []);
};
const look = (name, page, width, dark, results) => {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 900px; border: 0`;
  const scheme = "(prefers-color-scheme: dark)";
  frame.srcdoc = dark ? page.replaceAll(" and " + scheme, "") : page.replaceAll(scheme, "(width: 1px)");
  frame.onload = () => {
    const { contentDocument: inner, contentWindow: view } = frame;
    const opened = inner.querySelector("[popover]");
    if (opened) inner.querySelector(`[popovertarget="${opened.id}"]`).click();
    for (const details of inner.querySelectorAll("details")) details.open = true;
    const text = faint(inner, view);
    const broken = [...inner.images].filter((image) => image.complete && image.src && !image.naturalWidth).length;
    const unnamed = inner.querySelectorAll("img:not([alt]), svg[role=img]:not([aria-label]), button:empty").length;
    const lost = [...inner.querySelectorAll("a[href], button, summary, [tabindex]")].filter((element) => {
      element.focus();
      return element.getClientRects().length && inner.activeElement !== element;
    }).map((element) => element.outerHTML.slice(0, 80));
    results.push({ name, width, dark, texts: text.count, faint: text.found, wide: wide(inner, view), broken, unnamed, lost,
      opened: opened ? opened.matches(":popover-open") : null, back: view.getComputedStyle(inner.body).backgroundColor });
  };
  document.body.append(frame);
};
// The browser prints the page once all frames are loaded, and the window's own load comes last.
const results = [];
for (const [name, page] of Object.entries(PAGES)) {
  for (const width of [360, 768, 1600]) for (const dark of [false, true]) look(name, page, width, dark, results);
}
window.addEventListener("load", () => { document.body.textContent = "RESULTS" + JSON.stringify(results) + "END"; });

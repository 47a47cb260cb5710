(() => {
  "use strict";
  const root = document.documentElement;
  const all = (what) => [...document.querySelectorAll(what)];

  // the language: that of the browser first, then what is chosen
  const japanese = document.getElementById("show-ja");
  if (japanese) {
    const tell = () => { root.lang = japanese.checked ? "ja" : "en"; };
    japanese.checked = (navigator.language || "").startsWith("ja");
    all("input[name=language]").forEach((input) => input.addEventListener("change", tell));
    tell();
  }

  // clips: stop shows the last picture of each
  const buttons = all("button.play");
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const set = (stopped) => {
    all(".clip img").forEach((image) => {
      const source = image.parentNode.querySelector("source");
      image.dataset.moving = image.dataset.moving || image.src;
      source.media = stopped ? "all" : "not all";
    });
    buttons.forEach((button) => { button.hidden = (button.dataset.stop === "1") === stopped; });
  };
  buttons.forEach((button) => button.addEventListener("click", () => set(button.dataset.stop === "1")));
  if (buttons.length) set(calm);

  // press to enlarge
  const box = document.getElementById("large");
  const stage = box.querySelector(".stage");
  let width = 0;
  const scale = () => { stage.firstElementChild.style.width = `${width}px`; };
  all("button.enlarge").forEach((button) => button.addEventListener("click", () => {
    const shown = button.querySelector("img, svg");
    const copy = shown.cloneNode(true);
    copy.removeAttribute("height");
    stage.replaceChildren(copy);
    box.showModal();
    const high = shown.clientHeight / Math.max(1, shown.clientWidth);
    width = Math.min(stage.clientWidth - 20, (stage.clientHeight - 10) / high);
    // a wide figure on a narrow screen fills the height and is moved sideways
    if (shown.tagName !== "IMG" && stage.clientWidth < 600) width = Math.max(width, (stage.clientHeight - 20) / high);
    scale();
  }));
  box.addEventListener("click", (event) => {
    const zoom = event.target.dataset && event.target.dataset.zoom;
    if (zoom) {
      const middle = (stage.scrollLeft + stage.clientWidth / 2) / Math.max(1, stage.scrollWidth);
      width = Math.min(12000, Math.max(200, width * zoom));
      scale();
      stage.scrollLeft = middle * stage.scrollWidth - stage.clientWidth / 2;
    } else if (event.target === box || (event.target.dataset && "close" in event.target.dataset)) {
      box.close();
    }
  });
})();

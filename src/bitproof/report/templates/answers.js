"use strict";
(() => {
  const form = document.querySelector(".filters");
  const items = [...document.querySelectorAll(".item")];
  const noisy = [...document.querySelectorAll("[data-noise]")];
  const texts = items.map((item) => item.textContent.toLowerCase());

  const update = () => {
    const { scenario, noise, status, text } = Object.fromEntries(new FormData(form));
    for (const part of noisy) part.hidden = Boolean(noise) && part.dataset.noise !== noise;
    let shown = 0;
    items.forEach((item, i) => {
      const fits =
        (!scenario || item.dataset.scenario === scenario) &&
        (!status || item.dataset.words.split(" ").includes(status)) &&
        (!text || texts[i].includes(text.toLowerCase()));
      item.hidden = !fits;
      shown += fits;
    });
    form.querySelector(".shown").textContent = `${shown} of ${items.length}`;
    document.documentElement.dataset.shown = String(shown);
  };

  form.addEventListener("input", update);
  form.addEventListener("submit", (event) => event.preventDefault());
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of asked) if (form.elements[name]) form.elements[name].value = value;
  update();
})();

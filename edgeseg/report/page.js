"use strict";
// Looking closer: values under the pointer, series by click, columns in order, pictures at full size.

function readOut(figure) {
  const svg = figure.querySelector("svg"), marks = JSON.parse(figure.dataset.marks), tip = document.createElement("div");
  svg.insertAdjacentHTML("beforeend", '<circle class="dot" r="4"/>');
  const dot = svg.lastElementChild;
  tip.className = "tip"; tip.hidden = true; figure.append(tip);
  const hide = () => { tip.hidden = true; dot.removeAttribute("cx"); figure.classList.remove("reading"); };
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("pointermove", event => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    const shown = marks.filter(m => !svg.querySelector(`[data-series="${m[0]}"].off`));
    const far = m => (m[1] - at.x) ** 2 + (m[2] - at.y) ** 2;
    const nearest = shown.reduce((a, b) => a && far(a) <= far(b) ? a : b, null);
    if (!nearest || far(nearest) > 40 ** 2) return hide();
    const place = new DOMPoint(nearest[1], nearest[2]).matrixTransform(svg.getScreenCTM());
    const box = figure.getBoundingClientRect();
    dot.setAttribute("cx", nearest[1]); dot.setAttribute("cy", nearest[2]); figure.classList.add("reading");
    tip.textContent = nearest[3]; tip.hidden = false;
    tip.style.left = Math.max(0, Math.min(place.x - box.left + 10, box.width - tip.offsetWidth)) + "px";
    tip.style.top = place.y - box.top - tip.offsetHeight - 8 + "px";
  });
}

function onPress(element, act) {
  element.setAttribute("tabindex", "0"); element.setAttribute("role", "button");
  element.addEventListener("click", act);
  element.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); }
  });
}

function seriesSwitch(entry) {
  const svg = entry.closest("svg"), number = entry.dataset.switch;
  onPress(entry, () => svg.querySelectorAll(`[data-series="${number}"], [data-switch="${number}"]`)
    .forEach(part => part.classList.toggle("off")));
}

function sortable(heading) {
  const body = heading.closest("table").tBodies[0], column = heading.cellIndex;
  const key = row => row.cells[column].textContent.replace(/\u202f/g, "").replace("−", "-");
  onPress(heading, () => {
    const rising = heading.getAttribute("aria-sort") !== "ascending", rows = [...body.rows];
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)], both = parseFloat(x) - parseFloat(y);
      return (Number.isNaN(both) ? x.localeCompare(y) : both) * (rising ? 1 : -1);
    };
    heading.parentElement.querySelectorAll("th").forEach(th => th.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    body.append(...rows.sort(order));
  });
}

function enlargeable(picture, dialog) {
  onPress(picture, () => {
    const large = dialog.querySelector("img");
    large.src = picture.src; large.alt = picture.alt;
    dialog.querySelector("p").textContent = picture.alt; dialog.showModal();
  });
}

document.querySelectorAll("figure[data-marks]").forEach(readOut);
document.querySelectorAll("[data-switch]").forEach(seriesSwitch);
document.querySelectorAll("table.sortable th").forEach(sortable);
const dialog = document.querySelector("dialog");
dialog.innerHTML = "<img alt=''><p></p>";
document.querySelectorAll("main figure img").forEach(picture => enlargeable(picture, dialog));
dialog.addEventListener("click", () => dialog.close());

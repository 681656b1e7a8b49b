// Follows the page: each section that changed comes as an event of its name, with its HTML as data. The browser connects
// again by itself; when the session has ended it is refused, and the page says that it stands still.
const names = ["alarms", "lanes", "waits", "breakers", "budgets", "freshness", "deadletters", "stamp"];
const source = new EventSource("/now/events");

for (const name of names) {
  source.addEventListener(name, (event) => {
    const section = document.getElementById(name);
    const region = section.querySelector(".scroll");
    const focused = region !== null && region === document.activeElement;
    const left = region === null ? 0 : region.scrollLeft;
    const link = section.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    section.innerHTML = event.data;
    const fresh = section.querySelector(".scroll");
    if (fresh !== null) {
      fresh.scrollLeft = left;
    }
    if (focused && fresh !== null) {
      fresh.focus({ preventScroll: true });
    } else if (link !== null) {
      section.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
    }
  });
}

source.addEventListener("open", () => document.body.classList.remove("still"));
source.addEventListener("error", () => document.body.classList.add("still"));

// Updates the page: each changed section arrives as an event with its name, with its HTML as data.
// The browser reconnects by itself. Once the session has ended, the server rejects it and the page
// shows that it no longer updates.
const names = ["alarms", "lanes", "waits", "breakers", "budgets", "freshness", "alerts", "deadletters", "stamp"];
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

source.addEventListener("open", () => document.body.classList.remove("disconnected"));
source.addEventListener("error", () => document.body.classList.add("disconnected"));

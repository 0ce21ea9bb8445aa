// Clocks of five cities, for the demo's widget of the type iframe. Workspace says its theme in the address, and gets
// the rows when it asks for them.
"use strict";

const CITIES = [
  ["Tokyo", "Asia/Tokyo"],
  ["Singapore", "Asia/Singapore"],
  ["Frankfurt", "Europe/Berlin"],
  ["London", "Europe/London"],
  ["New York", "America/New_York"],
];
const WIDGET = { widgetId: "clocks", name: "Trading hours", description: "Local times.", category: "Showcase", dataType: "table" };

function rows(now) {
  return CITIES.map(([city, timeZone]) => {
    const parts = new Intl.DateTimeFormat("en-GB", { timeZone, weekday: "short", hour: "2-digit", minute: "2-digit" });
    const found = Object.fromEntries(parts.formatToParts(now).map(({ type, value }) => [type, value]));
    const open = !["Sat", "Sun"].includes(found.weekday) && Number(found.hour) >= 8 && Number(found.hour) < 17;
    return { city, day: found.weekday, time: `${found.hour}:${found.minute}`, state: open ? "open" : "closed" };
  });
}

function line(row) {
  const item = document.createElement("li");
  const time = document.createElement("time");
  const state = document.createElement("span");
  time.textContent = `${row.day} ${row.time}`;
  state.textContent = row.state;
  state.className = row.state;
  item.append(row.city, time, state);
  return item;
}

function draw() {
  document.getElementById("clocks").replaceChildren(...rows(new Date()).map(line));
}

document.body.classList.toggle("light", new URLSearchParams(location.search).get("theme") === "light");
draw();
setInterval(draw, 10_000);

if (window.parent !== window) {
  window.parent.postMessage({ type: "openbb-connect", widgets: [WIDGET], params: [] }, "*");
  window.addEventListener("message", ({ data, source }) => {
    if (data && data.type === "openbb-request" && source === window.parent) {
      const answer = { type: "openbb-data", widgetId: WIDGET.widgetId, dataType: WIDGET.dataType, data: rows(new Date()) };
      source.postMessage(answer, "*");
    }
  });
}

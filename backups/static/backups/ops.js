// Everything works without this file. It keeps running pages current, copies text and counts time.
"use strict";

const every = (selector, act, root = document) => root.querySelectorAll(selector).forEach(act);

// The zone of this device, until somebody chooses one.
function rememberZone() {
  if (!("askZone" in document.body.dataset)) return;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!zone || zone === "UTC") return;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${zone}; path=/; max-age=34560000; SameSite=Lax${secure}`;
}

// "50 min ago" goes on counting; the words are those of the server.
function inWords(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.floor(seconds);
  let first = units.findIndex(([, size]) => left >= size);
  if (first < 0) first = 3;
  const words = [];
  for (const [name, size] of units.slice(first, first + (first >= 2 ? 1 : 2))) {
    const amount = Math.floor(left / size);
    left %= size;
    if (amount || !words.length) words.push(`${amount} ${name}`);
  }
  return words.join(" ");
}

function tick() {
  every("time[data-ago]", (time) => {
    const seconds = (Date.parse(time.dateTime) - serverNow()) / 1000;
    time.textContent = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? `in ${inWords(seconds)}` : `${inWords(-seconds)} ago`;
  });
  every("time[data-left]", (time) => {
    const seconds = (Date.parse(time.dateTime) - serverNow()) / 1000;
    time.textContent = seconds > 0 ? inWords(seconds) : "over";
  });
  every("time[data-elapsed]", (time) => {
    const seconds = Math.max(0, Math.floor((serverNow() - Date.parse(time.dateTime)) / 1000));
    time.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  });
}

// Clocks of devices are wrong more often than one would think.
let clockOffset = 0;
const serverNow = () => Date.now() + clockOffset;
function readClock(response) {
  const at = Date.parse(response.headers.get("Date") || "");
  if (at && Math.abs(at - Date.now()) > 2000) clockOffset = at - Date.now();
}

// A running page asks for its own moving part; when the state changed, the whole page is new.
function follow(part) {
  const wait = Number(part.dataset.liveSeconds || 2) * 1000;
  let known = part.dataset.liveMark;
  const again = () => setTimeout(ask, document.hidden ? wait * 4 : wait);
  async function ask() {
    try {
      const response = await fetch(part.dataset.live, { headers: { "X-Background-Refresh": "1" }, redirect: "error" });
      readClock(response);
      if (!response.ok) return again();
      const mark = response.headers.get("X-Live-Mark");
      if (mark !== known) return changed(mark);
      if (response.headers.get("X-Live-Replace") === "yes") {
        const fresh = new DOMParser().parseFromString(await response.text(), "text/html").body.firstElementChild;
        if (fresh) part.replaceChildren(...fresh.childNodes);
      }
      tick();
    } catch {
      // The next attempt may succeed.
    }
    return again();
  }
  function changed(mark) {
    if (!somethingTyped()) return location.reload();
    known = mark;
    every("[data-live-changed]", (note) => { note.hidden = false; });
    return again();
  }
  again();
}

const somethingTyped = () => [...document.querySelectorAll("textarea, input[type=text]")].some((field) => field.value !== field.defaultValue);

function offerCopy(button) {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    await navigator.clipboard.writeText(source.textContent.trim());
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

// What the typed moment is in UTC, and how long ago. The server decides; this only saves a mistake.
function explainMoment(hint) {
  const name = hint.dataset.momentHint;
  const [date, time, zone] = ["date", "time", "zone"].map((part) => document.getElementById(`id_${name}_${part}`));
  if (!date || !time || !zone) return;
  const show = () => {
    const at = momentIn(date.value, time.value, zone.value);
    if (!at) { hint.textContent = ""; return; }
    const seconds = (serverNow() - at) / 1000;
    const distance = seconds >= 0 ? `${inWords(seconds)} ago` : "in the future";
    hint.textContent = `= ${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC · ${distance}`;
  };
  [date, time, zone].forEach((field) => field.addEventListener("input", show));
  show();
}

function momentIn(date, time, zone) {
  if (!/^\d{4}-\d\d-\d\d$/.test(date) || !/^\d\d:\d\d(:\d\d)?/.test(time)) return null;
  const wanted = Date.parse(`${date}T${time}Z`);
  let at = wanted;
  for (let round = 0; round < 2; round += 1) at = wanted - offsetOf(zone, at);
  return at;
}

function offsetOf(zone, at) {
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric",
    month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }).formatToParts(at)
    .map((part) => [part.type, Number(part.value)]));
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(at / 1000) * 1000;
}

// One press is one request.
function pressOnce(form) {
  form.addEventListener("submit", () => {
    setTimeout(() => every("button", (button) => { button.setAttribute("aria-disabled", "true"); button.disabled = true; }, form), 0);
  });
}

rememberZone();
every("[data-live]", follow);
every("button[data-copy]", offerCopy);
every("[data-moment-hint]", explainMoment);
every("form[method=post]", pressOnce);
every("details[data-wide-open]", (fold) => { if (matchMedia("(min-width: 64rem)").matches) fold.open = true; });
every("button[data-print]", (button) => { button.hidden = false; button.addEventListener("click", () => print()); });
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
setInterval(tick, 1000);

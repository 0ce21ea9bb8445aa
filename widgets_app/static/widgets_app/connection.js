"use strict";

// ---- the test from this browser

const FRAME_SECONDS = 4;
const ASK_SECONDS = 15;
// A key that no backend has: the header is what is tried.
const NO_KEY = "no-key-was-given";

function within(seconds, promise) {
    const late = new Promise((_, reject) => setTimeout(reject, seconds * 1000, new Error("No answer in time")));
    return Promise.race([promise, late]);
}

// Resolves with the first message from a frame that is meant.
function heard(frame, isMeant) {
    return new Promise((resolve) => {
        window.addEventListener("message", function listen(event) {
            if (event.source === frame.contentWindow && isMeant(event.data)) {
                window.removeEventListener("message", listen);
                resolve(event.data);
            }
        });
    });
}

// A page of another origin in a frame, to ask from.
class Stranger {
    constructor(frame, isOpaque) {
        this.frame = frame;
        this.target = isOpaque ? "*" : new URL(frame.src).origin;
        this.number = 0;
    }

    static async open({ url, sandbox }) {
        const frame = document.createElement("iframe");
        frame.hidden = true;
        frame.setAttribute("sandbox", sandbox);
        frame.src = url;
        const ready = heard(frame, (data) => data?.ready === true);
        document.body.append(frame);
        try {
            await within(FRAME_SECONDS, ready);
        } catch (error) {
            frame.remove();
            throw error;
        }
        return new Stranger(frame, !sandbox.includes("allow-same-origin"));
    }

    static async first(frames) {
        for (const frame of frames) {
            try {
                return await Stranger.open(frame);
            } catch {
                // The next one may come.
            }
        }
        return null;
    }

    async ask(url, options) {
        const number = (this.number += 1);
        const answer = heard(this.frame, (data) => data?.number === number);
        this.frame.contentWindow.postMessage({ number, url, options }, this.target);
        try {
            return await within(ASK_SECONDS, answer);
        } catch {
            return { came: false, text: "", milliseconds: ASK_SECONDS * 1000, late: true };
        }
    }

    close() {
        this.frame.remove();
    }
}

function parsed(answer) {
    try {
        return answer.came ? JSON.parse(answer.text) : null;
    } catch {
        return null;
    }
}

// What the rows say: `state` is good, bad, odd or unknown.
const WORDS = { good: "ok", bad: "failed", odd: "look", unknown: "not tested" };

function unreachable(test, answer) {
    const url = new URL(test.url);
    if (location.protocol === "https:" && url.protocol === "http:" && !test.is_loopback) {
        return "The browser blocks plain http:// from an HTTPS page (mixed content). Workspace is one, so it is blocked too: serve HTTPS.";
    }
    if (answer.late) {
        return "No answer in time: something on the way swallows the request, such as a firewall or a VPN.";
    }
    if (url.protocol === "https:") {
        return `No answer, or a certificate that this browser does not trust; it tells no page which. Open ${test.health} in a new tab: a warning there means the certificate (see above).`;
    }
    return `No answer at this address from this browser. This page came from ${location.origin}: is PUBLIC_URL right, and does a firewall, a proxy or an extension stand between?`;
}

async function reachable(test, stranger) {
    // Without asking to read the answer, so that only network, certificate and mixed content count.
    const answer = await stranger.ask(test.health, { mode: "no-cors" });
    const state = answer.came ? "good" : "bad";
    const trusted = test.url.startsWith("https:") ? " and accepts its certificate" : "";
    const text = answer.came ? `This browser reaches the address${trusted}.` : unreachable(test, answer);
    return [{ what: `GET ${test.health}`, state, text, answer }];
}

function refusal(answer, method) {
    if (answer.came) {
        return `Something else answers there, with status ${answer.status}: another server, or a proxy that does not pass this path on.`;
    }
    return `The browser was not allowed to send ${method} with the header, though the address is reached. Something between, such as a proxy, answers the preflight (OPTIONS) itself, asks it for a login, or takes headers away.`;
}

function keyRow(test, typed, found) {
    const what = `The header ${test.header}`;
    if (!found.key_arrived) {
        return { what, state: "bad", text: "It did not arrive: something between takes it away. Let it through." };
    }
    if (test.open) {
        return { what, state: "odd", text: "It arrived, but this backend asks nobody for a key (WIDGETS_OPEN)." };
    }
    if (!typed) {
        return { what, state: "good", text: "It arrived. No key was given, so none was tried." };
    }
    return { what, state: found.key_refused ? "bad" : "good", text: found.key_refused || "The key arrived and is good." };
}

async function askable(test, stranger, key) {
    const headers = { [test.header]: key || NO_KEY };
    const answer = await stranger.ask(test.ask, { headers });
    const found = parsed(answer);
    const what = `OPTIONS and GET ${new URL(test.ask).origin}/-/connection/…`;
    if (found?.origin === undefined) {
        return [{ what, state: "bad", text: refusal(answer, "GET"), answer }];
    }
    const from = found.origin === "null" ? "a page without an origin (a sandbox)" : `a page of ${found.origin}`;
    const asked = { what, state: "good", text: `Preflight and request arrived, from ${from}.`, answer };
    return [asked, keyRow(test, key, found), await posted(test, stranger, headers), ...(await origins(test, stranger, headers, found))];
}

async function posted(test, stranger, headers) {
    const options = { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body: "{}" };
    const answer = await stranger.ask(test.ask, options);
    const arrived = parsed(answer)?.method === "POST";
    const text = arrived ? "Forms and tables paged by the server can send JSON." : refusal(answer, "POST");
    return { what: "OPTIONS and POST, as forms send it", state: arrived ? "good" : "bad", text, answer };
}

async function origins(test, stranger, headers, found) {
    const answer = await stranger.ask(test.widgets, { headers });
    const what = `GET ${test.widgets} from there`;
    const rows = [];
    if (found.origin_allowed) {
        const text = answer.came ? "A page of an allowed origin reads the answer." : "This origin is allowed, and still the browser may not read the answer.";
        rows.push({ what, state: answer.came ? "good" : "bad", text, answer });
    } else {
        const text = answer.came
            ? "Pages of every origin can read the answers: something adds Access-Control-Allow-Origin to all of them."
            : "Kept from the page, as it should be: its origin is not among the allowed ones.";
        rows.push({ what, state: answer.came ? "odd" : "good", text, answer });
    }
    const allowed = found.workspace_allowed
        ? "Allowed by the settings. No browser lets another page ask as Workspace; the examination below asks with this origin."
        : "Not among CORS_ALLOWED_ORIGINS: browsers keep every answer from Workspace. Add it, and restart.";
    rows.push({ what: `Pages of ${test.workspace}`, state: found.workspace_allowed ? "good" : "bad", text: allowed });
    return rows;
}

// What only this browser knows of itself.
async function browserRows(test) {
    const rows = [];
    const isPlain = test.url.startsWith("http:");
    const isSafari = /^((?!chrome|chromium|android|crios|fxios|edg).)*safari/i.test(navigator.userAgent);
    if (isPlain && !test.is_loopback) {
        rows.push({ what: "Plain http://", state: "bad", text: "Workspace is an HTTPS page, and browsers let it ask plain http:// on the same computer only. Serve HTTPS, whatever the tests above say." });
    } else if (isPlain && (navigator.brave || isSafari)) {
        rows.push({ what: "Plain http://", state: "bad", text: "Safari and Brave block it from an HTTPS page on the same computer too. Serve HTTPS, or use Chrome, Edge or Firefox." });
    }
    if (test.is_private) {
        const state = await permission();
        const text = state
            ? `This browser asks people before Workspace may reach this device or network: allow it. What they answered for Workspace no other page can see (for this page: ${state}).`
            : "This browser does not tell whether it asks people before Workspace may reach this device or network. If it asks, allow it.";
        rows.push({ what: "Permission for the local network", state: "unknown", text });
    }
    return rows;
}

async function permission() {
    for (const name of ["loopback-network", "local-network", "local-network-access"]) {
        try {
            return (await navigator.permissions.query({ name })).state;
        } catch {
            // Browsers know some of these names, or none.
        }
    }
    return "";
}

function shown({ what, state, text, answer }) {
    const row = document.createElement("div");
    row.className = "wb-check";
    const label = document.createElement("span");
    const colours = { good: "wb-published", bad: "wb-errors", odd: "wb-changed", unknown: "wb-draft" };
    label.className = `wb-label ${colours[state]}`;
    label.textContent = WORDS[state];
    const place = document.createElement("code");
    place.textContent = what;
    const words = document.createElement("p");
    words.textContent = text;
    const time = document.createElement("span");
    time.className = "wb-quiet";
    time.textContent = answer ? `${Math.round(answer.milliseconds)} ms` : "";
    row.append(label, place, time, words);
    return row;
}

function verdict(rows, wasReached) {
    const bad = rows.filter((row) => row.state === "bad").length;
    if (bad) {
        return `${bad} of ${rows.length} failed. ${wasReached ? "Mend these" : "What comes after was not tested: mend this"}, then test again.`;
    }
    return "What can be tested from here works. Workspace should connect from this browser.";
}

async function tested(card, key, tell) {
    const response = await fetch(`${card.dataset.test}?scheme=${location.protocol.slice(0, -1)}`, { cache: "no-store" });
    const test = await response.json();
    const stranger = await Stranger.first(test.frames);
    if (!stranger) {
        tell([{ what: "A page to ask from", state: "unknown", text: "The browser did not show the page of another origin that asks. Is an extension blocking frames?" }]);
        return "Nothing was tested.";
    }
    try {
        const rows = await reachable(test, stranger);
        tell(rows);
        const wasReached = rows[0].state === "good";
        const more = wasReached ? await askable(test, stranger, key) : [];
        const last = [...more, ...(await browserRows(test))];
        tell(last);
        return verdict([...rows, ...last], wasReached);
    } finally {
        stranger.close();
    }
}

document.getElementById("test_form")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = document.getElementById("test_start");
    const card = document.getElementById("browser_test");
    const results = document.getElementById("test_results");
    const checks = results.querySelector(".wb-checks");
    const summary = document.getElementById("test_verdict");
    checks.replaceChildren();
    summary.textContent = "Testing …";
    results.hidden = false;
    button.disabled = true;
    try {
        const key = document.getElementById("test_key").value.trim();
        summary.textContent = await tested(card, key, (rows) => checks.append(...rows.map(shown)));
    } catch {
        summary.textContent = "The test could not begin: this server does not answer, or you are signed out. Load the page again.";
    } finally {
        button.disabled = false;
    }
});

// ---- the progress of an examination

const PROGRESS_MILLISECONDS = 1000;

function show(progress, found) {
    const bar = progress.querySelector("progress");
    if (found.total > 1) {
        bar.max = found.total;
        bar.value = found.done;
    } else {
        bar.removeAttribute("value");
    }
    const part = found.total > 1 ? `: ${found.done} of ${found.total}` : "";
    progress.querySelector("[data-text]").textContent = found.looking_at ? `Looking at ${found.looking_at}${part}` : "It begins";
    progress.querySelector("[data-seconds]").textContent = found.seconds;
}

async function follow(progress) {
    const text = progress.querySelector("[data-text]");
    for (;;) {
        await new Promise((resolve) => setTimeout(resolve, PROGRESS_MILLISECONDS));
        try {
            const response = await fetch(progress.dataset.progress, { cache: "no-store", redirect: "error" });
            const found = await response.json();
            if (found.state !== "running") {
                location.reload();
                return;
            }
            show(progress, found);
        } catch {
            text.textContent = "The server does not answer, or you are signed out; asking again";
        }
    }
}

for (const progress of document.querySelectorAll("[data-progress]")) {
    follow(progress);
}

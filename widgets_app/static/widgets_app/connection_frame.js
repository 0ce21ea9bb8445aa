"use strict";

// The page of another origin: asks what the admin's page tells it to, and tells that page, and no other, what came.
const ADMIN = document.currentScript.dataset.admin;

async function asked({ number, url, options }) {
    const begun = performance.now();
    // A key goes to the address that was typed, and to no other.
    const redirect = options && options.headers ? "error" : "follow";
    try {
        const response = await fetch(url, { cache: "no-store", credentials: "omit", redirect, ...options });
        const text = await response.text();
        return { number, came: true, status: response.status, text, milliseconds: performance.now() - begun };
    } catch (error) {
        return { number, came: false, text: String(error), milliseconds: performance.now() - begun };
    }
}

window.addEventListener("message", async (event) => {
    if (event.source === window.parent && event.origin === ADMIN) {
        window.parent.postMessage(await asked(event.data), ADMIN);
    }
});

window.parent.postMessage({ ready: true }, ADMIN);

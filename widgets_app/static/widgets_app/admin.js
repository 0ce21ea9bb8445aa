"use strict";

// Buttons with data-copy="id" put the text of that element on the clipboard, or select it where they may not.
document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) {
        return;
    }
    const element = document.getElementById(button.dataset.copy);
    try {
        await navigator.clipboard.writeText(element.textContent);
        button.textContent = "Copied";
    } catch {
        window.getSelection().selectAllChildren(element);
    }
});

// The theme measures its tabs while fonts may still be loading, and then hides some that have room.
window.addEventListener("load", async () => {
    await document.fonts.ready;
    requestAnimationFrame(() => {
        const hidden = document.querySelectorAll("#tabs-dropdown > *").length;
        for (let left = hidden; left > 0; left -= 1) {
            window.dispatchEvent(new Event("resize"));
        }
    });
});

// A form with data-busy takes a while: the button that was pressed says so, and none can be pressed again.
document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-busy]")) {
        return;
    }
    const pressed = event.submitter;
    // After the form has been read: a disabled button would not be sent.
    setTimeout(() => {
        for (const button of event.target.querySelectorAll("button")) {
            button.disabled = true;
        }
        if (pressed?.dataset.busy) {
            pressed.dataset.idle = pressed.textContent;
            pressed.textContent = pressed.dataset.busy;
        }
    });
});

// Whoever comes back to such a form can use it again.
window.addEventListener("pageshow", (event) => {
    for (const button of event.persisted ? document.querySelectorAll("form[data-busy] button") : []) {
        button.disabled = false;
        button.textContent = button.dataset.idle ?? button.textContent;
    }
});

// The theme names one file only, however many were chosen.
document.addEventListener("change", (event) => {
    if (event.target.matches("input[type=file][multiple]")) {
        const names = [...event.target.files].map((file) => file.name).join(", ");
        event.target.closest(".wb-field").querySelector("input[type=text]").value = names;
    }
});

// Colour rules: rows are copied from an empty one; each shows the inputs that its condition looks at.
const HEX = /^#[0-9a-f]{6}$/i;

function showColour(rule) {
    const colour = rule.querySelector("[name$=-color]").value;
    if (HEX.test(colour)) {
        rule.querySelector("[data-picker]").value = colour;
    }
}

function addRule(rules) {
    const rows = rules.querySelector("[data-rows]");
    const numbers = [...rows.querySelectorAll("[name$=-rule]")].map((input) => Number(input.name.split("-").at(-2)));
    const made = document.createElement("div");
    made.innerHTML = rules.querySelector("template").innerHTML.replaceAll("__n__", Math.max(-1, ...numbers) + 1);
    rows.append(made.firstElementChild);
}

document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-add-rule], [data-remove-rule]");
    if (!link) {
        return;
    }
    event.preventDefault();
    if ("addRule" in link.dataset) {
        addRule(link.closest("[data-rules]"));
    } else {
        link.closest(".wb-rule").remove();
    }
});

document.addEventListener("input", (event) => {
    const rule = event.target.closest(".wb-rule");
    if (!rule) {
        return;
    }
    if (event.target.matches("select")) {
        rule.dataset.condition = event.target.value;
    } else if (event.target.matches("[data-picker]")) {
        rule.querySelector("[name$=-color]").value = event.target.value;
    } else {
        showColour(rule);
    }
});

document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".wb-rule").forEach(showColour));

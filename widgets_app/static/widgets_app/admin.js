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

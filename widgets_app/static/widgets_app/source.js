"use strict";

// The button with data-test tests what stands in its form without leaving the page. Without this script it leaves it.
document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-test]");
    if (!button) {
        return;
    }
    event.preventDefault();
    const place = document.getElementById("steps");
    const values = new FormData(button.form);
    for (const [name, value] of [...values]) {
        if (value instanceof File) {
            values.delete(name);
        }
    }
    button.disabled = true;
    place.textContent = "Testing…";
    try {
        const answer = await fetch(`${button.formAction}?part=1`, { method: "POST", body: values });
        if (!answer.ok) {
            throw new Error(answer.status);
        }
        place.innerHTML = await answer.text();
    } catch {
        place.textContent = "The test got no answer. Load the page again, and look whether you are still signed in.";
    }
    button.disabled = false;
});

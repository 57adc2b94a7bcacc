// What every page does: short notes go away by themselves, a menu closes when one clicks beside it.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-back]")) history.back();
  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
  for (const menu of document.querySelectorAll("details.me[open]"))
    if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("htmx:after:swap", () => {
  const told = document.querySelector("#told .told");
  if (told) setTimeout(() => told.remove(), told.classList.contains("bad") ? 9000 : 4000);
});

// A form that asks first: <form data-ask="真的要停用吗？">
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.ask;
  if (question && !window.confirm(question)) event.preventDefault();
});

// Choosing in a list of filters asks at once: <form data-eager>
document.addEventListener("change", (event) => {
  if (event.target.matches("select, input[type=date]")) event.target.closest("form[data-eager]")?.requestSubmit();
});

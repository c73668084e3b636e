// Configures Swagger UI for /openapi.json. Nothing is loaded from another host, and the key is kept in this page alone.
"use strict";

// Swagger UI filters by the name of a group only; this also searches paths, summaries and descriptions.
const searchOperations = (groups, phrase) => {
  const wanted = phrase.trim().toLowerCase();
  const matches = (operation) =>
    [operation.get("method"), operation.get("path"), operation.getIn(["operation", "summary"]), operation.getIn(["operation", "description"])]
      .join(" ")
      .toLowerCase()
      .includes(wanted);
  return groups
    .map((group, name) =>
      name.toLowerCase().includes(wanted) ? group : group.update("operations", (operations) => operations.filter(matches)),
    )
    .filter((group) => group.get("operations").size > 0);
};

const describeSearch = () => {
  const field = document.querySelector(".operation-filter-input");
  if (field) {
    field.placeholder = "Search operations";
    field.setAttribute("aria-label", "Search operations");
  }
};

const followTheme = () => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
};

window.addEventListener("DOMContentLoaded", () => {
  followTheme();
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#console",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    defaultModelRendering: "example",
    filter: true,
    persistAuthorization: false,
    requestSnippetsEnabled: true,
    tryItOutEnabled: true,
    validatorUrl: null,
    plugins: [() => ({ fn: { opsFilter: searchOperations } })],
    onComplete: describeSearch,
  });
});

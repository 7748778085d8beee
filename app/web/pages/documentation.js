"use strict";

// The bundled Swagger UI takes `additionalProperties: false` for true and puts a made-up field into its examples,
// which the API would refuse. The page leaves the keyword out; the document itself keeps it.
const withoutStrictness = (node) => {
  if (Array.isArray(node)) return node.map(withoutStrictness);
  if (node === null || typeof node !== "object") return node;
  const kept = Object.entries(node).filter(([key, value]) => !(key === "additionalProperties" && value === false));
  return Object.fromEntries(kept.map(([key, value]) => [key, withoutStrictness(value)]));
};

window.addEventListener("load", async () => {
  const response = await fetch("/schema/openapi.json");
  const specification = withoutStrictness(await response.json());
  window.ui = SwaggerUIBundle({
    spec: specification,
    dom_id: "#documentation",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    persistAuthorization: true,
    tryItOutEnabled: true,
    validatorUrl: null,
  });
});

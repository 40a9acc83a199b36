import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { Problem } from "./api/client";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/input.css";
import "./styles/answer.css";
import "./styles/evidence.css";

// What the server refused it refuses again; what did not arrive may arrive next time.
const retry = (failures: number, error: Error) => failures < 2 && error instanceof Problem && error.status === 0;
const client = new QueryClient({ defaultOptions: { queries: { retry, staleTime: 30_000 } } });

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={client}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);

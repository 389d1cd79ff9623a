import createClient from "openapi-fetch";
import type { paths } from "./api";

const { GET, POST } = createClient<paths>({ baseUrl: "" });

// The compiler rejects code that contradicts openapi.json.
// @ts-expect-error: unknown path
() => POST("/orders/pay/{order_id}", { params: { path: { order_id: "o" } } });
// @ts-expect-error: missing order
() => POST("/orders/checkout/{order_id}", { params: { path: {} } });
// @ts-expect-error: the amount must be a number
() => POST("/payment/add_funds/{user_id}/{amount}", { params: { path: { user_id: "u", amount: "100" } } });
// @ts-expect-error: unknown field
async () => (await GET("/orders/find/{order_id}", { params: { path: { order_id: "o" } } })).data?.total;
async () => {
  // @ts-expect-error: a status that orders do not have
  (await GET("/orders/find/{order_id}", { params: { path: { order_id: "o" } } })).data?.status === "SOLD";
};

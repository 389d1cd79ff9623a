// This program buys from a system. The test generates ./api from openapi.json with openapi-typescript.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const { GET, POST } = createClient<paths>({ baseUrl: process.argv[2] });

// must returns the data of a successful response.
function must<D, E>(response: { data?: D; error?: E }): D {
  if (response.data === undefined) throw new Error(JSON.stringify(response.error));
  return response.data;
}

const { user_id } = must(await POST("/payment/create_user"));
for (const amount of [100, 100]) {
  must(await POST("/payment/add_funds/{user_id}/{amount}", { params: { path: { user_id, amount }, header: { "Idempotency-Key": "once" } } }));
}
const { item_id } = must(await POST("/stock/item/create/{price}", { params: { path: { price: 5 } } }));
must(await POST("/stock/add/{item_id}/{amount}", { params: { path: { item_id, amount: 10 } } }));
const { order_id } = must(await POST("/orders/create/{user_id}", { params: { path: { user_id } } }));
must(await POST("/orders/addItem/{order_id}/{item_id}/{quantity}", { params: { path: { order_id, item_id, quantity: 2 } } }));
const { paid } = must(await POST("/orders/checkout/{order_id}", { params: { path: { order_id } } }));
const order = must(await GET("/orders/find/{order_id}", { params: { path: { order_id } } }));
const status: "OPEN" | "RUNNING" | "ABORTING" | "PAID" | "REFUNDING" | "CANCELLED" = order.status;
const { credit } = must(await GET("/payment/find_user/{user_id}", { params: { path: { user_id } } }));
const refused = await POST("/orders/addItem/{order_id}/{item_id}", { params: { path: { order_id, item_id } } });
console.log(paid, status, order.total_cost, credit, refused.error?.type);

// The compiler rejects requests that the document does not allow.
// @ts-expect-error: unknown path
() => POST("/orders/pay/{order_id}", { params: { path: { order_id } } });
// @ts-expect-error: missing order
() => POST("/orders/checkout/{order_id}", { params: { path: {} } });
// @ts-expect-error: the amount must be a number
() => POST("/payment/add_funds/{user_id}/{amount}", { params: { path: { user_id, amount: "100" } } });
// @ts-expect-error: unknown field
() => order.total;

// A shop of one customer, by the types that are generated of the description. The test that runs it puts them beside it.
import createClient from "openapi-fetch";
import type { paths } from "./api";

const { GET, POST } = createClient<paths>({ baseUrl: process.argv[2] });

// done takes an answer of success.
function done<D, E>(answer: { data?: D; error?: E }): D {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const { user_id } = done(await POST("/payment/create_user"));
for (const amount of [100, 100]) {
  done(await POST("/payment/add_funds/{user_id}/{amount}", { params: { path: { user_id, amount }, header: { "Idempotency-Key": "once" } } }));
}
const { item_id } = done(await POST("/stock/item/create/{price}", { params: { path: { price: 5 } } }));
done(await POST("/stock/add/{item_id}/{amount}", { params: { path: { item_id, amount: 10 } } }));
const { order_id } = done(await POST("/orders/create/{user_id}", { params: { path: { user_id } } }));
done(await POST("/orders/addItem/{order_id}/{item_id}/{quantity}", { params: { path: { order_id, item_id, quantity: 2 } } }));
const { paid } = done(await POST("/orders/checkout/{order_id}", { params: { path: { order_id } } }));
const order = done(await GET("/orders/find/{order_id}", { params: { path: { order_id } } }));
const status: "OPEN" | "RUNNING" | "ABORTING" | "PAID" | "REFUNDING" | "CANCELLED" = order.status;
const { credit } = done(await GET("/payment/find_user/{user_id}", { params: { path: { user_id } } }));
const refused = await POST("/orders/addItem/{order_id}/{item_id}", { params: { path: { order_id, item_id } } });
console.log(paid, status, order.total_cost, credit, refused.error?.type);

// What the description does not say does not pass.
// @ts-expect-error: there is no such path
() => POST("/orders/pay/{order_id}", { params: { path: { order_id } } });
// @ts-expect-error: the order is missing
() => POST("/orders/checkout/{order_id}", { params: { path: {} } });
// @ts-expect-error: an amount is a number
() => POST("/payment/add_funds/{user_id}/{amount}", { params: { path: { user_id, amount: "100" } } });
// @ts-expect-error: an order has no such field
() => order.total;

// Command main buys from a system. The test generates package client from openapi.json with oapi-codegen.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"example/client"
)

// must returns a successful response. It exits if the response is an error.
func must[R interface{ Status() string }](response R, err error) R {
	if err != nil {
		log.Fatal(err)
	}
	if !strings.HasPrefix(response.Status(), "200") {
		log.Fatalf("%T: %s", response, response.Status())
	}
	return response
}

func main() {
	ctx := context.Background()
	c, err := client.NewClientWithResponses(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	user := must(c.CreateUserWithResponse(ctx, nil)).JSON200.UserId
	key := client.IdempotencyKey("once")
	for range 2 {
		must(c.AddFundsWithResponse(ctx, user, 100, &client.AddFundsParams{IdempotencyKey: &key}))
	}
	item := must(c.CreateItemWithResponse(ctx, 5, nil)).JSON200.ItemId
	must(c.AddStockWithResponse(ctx, item, 10, nil))
	order := must(c.CreateOrderWithResponse(ctx, user, nil)).JSON200.OrderId
	must(c.AddItemsWithResponse(ctx, order, item, 2, nil))
	paid := must(c.CheckoutWithResponse(ctx, order, nil)).JSON200.Paid
	found := must(c.FindOrderWithResponse(ctx, order, nil)).JSON200
	credit := must(c.FindUserWithResponse(ctx, user, nil)).JSON200.Credit
	refused, err := c.AddItemWithResponse(ctx, order, item, nil)
	if err != nil || refused.ApplicationproblemJSON409 == nil {
		log.Fatalf("add an item to a paid order: error %v, response %s", err, refused.Body)
	}
	fmt.Println(paid, found.Status, found.TotalCost, credit, refused.ApplicationproblemJSON409.Type)
}

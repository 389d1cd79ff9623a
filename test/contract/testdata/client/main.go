// A shop of one customer, by the client that is generated of the description. The test that runs it puts that beside
// it.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"example/client"
)

// done takes an answer of success.
func done[A interface{ Status() string }](answer A, err error) A {
	if err != nil {
		log.Fatal(err)
	}
	if !strings.HasPrefix(answer.Status(), "200") {
		log.Fatalf("%T: %s", answer, answer.Status())
	}
	return answer
}

func main() {
	ctx := context.Background()
	c, err := client.NewClientWithResponses(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	user := done(c.CreateUserWithResponse(ctx, nil)).JSON200.UserId
	key := client.IdempotencyKey("once")
	for range 2 {
		done(c.AddFundsWithResponse(ctx, user, 100, &client.AddFundsParams{IdempotencyKey: &key}))
	}
	item := done(c.CreateItemWithResponse(ctx, 5, nil)).JSON200.ItemId
	done(c.AddStockWithResponse(ctx, item, 10, nil))
	order := done(c.CreateOrderWithResponse(ctx, user, nil)).JSON200.OrderId
	done(c.AddItemsWithResponse(ctx, order, item, 2, nil))
	paid := done(c.CheckoutWithResponse(ctx, order, nil)).JSON200.Paid
	found := done(c.FindOrderWithResponse(ctx, order, nil)).JSON200
	credit := done(c.FindUserWithResponse(ctx, user, nil)).JSON200.Credit
	refused, err := c.AddItemWithResponse(ctx, order, item, nil)
	if err != nil || refused.ApplicationproblemJSON409 == nil {
		log.Fatalf("an item added to a paid order: %v, %s", err, refused.Body)
	}
	fmt.Println(paid, found.Status, found.TotalCost, credit, refused.ApplicationproblemJSON409.Type)
}

// Order keeps carts and coordinates checkouts.
//
//	routes.go    every route
//	cart.go      handlers of orders, their items and batch_init
//	checkout.go  handlers of checkouts and cancellations
//	prices.go    cache of stock's prices
//	overview.go  what the console shows of sagas
//	saga/        the coordinator of the checkout
//	store/       the Redis schema of orders and the scripts that change it
//	site/        console, API docs and openapi.json
//
// What all services share is in common/service.
package main

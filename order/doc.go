// Order is the service that stores carts and coordinates checkouts.
//
//	routes.go    every route
//	cart.go      handlers for orders, their items and batch_init
//	checkout.go  handlers for checkouts and cancellations
//	history.go   handler for an order's history
//	list.go      handlers for lists of orders
//	prices.go    cache of item prices
//	overview.go  data about sagas for the console
//	saga/        the coordinator of the checkout
//	store/       the Redis schema of orders and the scripts that change orders
//	site/        console, API docs and openapi.json
//
// Package common/service has the code that all services share.
package main

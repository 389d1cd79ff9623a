// Stock keeps items. Each item has a price and a number of pieces. Stock is a participant of the checkout: attempts
// reserve pieces here.
//
//	routes.go    every route
//	handlers.go  HTTP handlers
//	items.go     Redis schema of an item
//
// Package common/participant has the counters and the steps of the protocol, for stock and payment. Package
// common/service has the code that all services share.
package main

//go:build !faults

package web

import "github.com/gin-gonic/gin"

// handleFaults does nothing without the build tag faults.
func handleFaults(*gin.Engine) {}

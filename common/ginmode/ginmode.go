// Package ginmode keeps an invalid GIN_MODE from Gin, which would panic before a program can report the error.
//
// The package must be initialized before Gin. In each step, Go initializes the package that has the first import path
// among those whose imports are initialized. When the imports of Gin are initialized, those of this package are too,
// because Gin also needs every one of them. So this package comes first: its path sorts before the path of Gin.
package ginmode

import (
	"os"
	"slices"
)

// Modes are the valid values of GIN_MODE.
var Modes = []string{"debug", "release", "test"}

// Invalid is the value of GIN_MODE if it was invalid. Then the environment no longer contains GIN_MODE.
var Invalid string

func init() {
	if mode := os.Getenv("GIN_MODE"); mode != "" && !slices.Contains(Modes, mode) {
		Invalid = mode
		os.Unsetenv("GIN_MODE")
	}
}

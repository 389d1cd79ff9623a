// Package ginmode keeps an invalid GIN_MODE from Gin, which would panic before a program can report the error.
//
// This package must be initialized before Gin. If the imports of several packages are initialized, Go next initializes
// the package whose path sorts first. Gin also needs all imports of this package, so this package is ready no later
// than Gin. Its path sorts before the path of Gin.
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

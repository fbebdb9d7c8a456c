// Package enforcers is the one list of all walls in the product.
package enforcers

import (
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/enforce/nft"
)

// Config says where walls can stand. The zero Config means this machine alone.
type Config struct {
	Namespace string // network namespace of the router, when it is not that of this process
}

// All lists every enforcer, the one to try first at the beginning.
func All(cfg Config) []enforce.Enforcer {
	return []enforce.Enforcer{
		&nft.Wall{Namespace: cfg.Namespace},
	}
}

// Comparisons with other people's tools. A module of its own: firmward itself needs none of them.
module github.com/firmward/firmward/bench/nvdtools

go 1.26.0

replace github.com/firmward/firmward => ../..

require (
	github.com/facebookincubator/nvdtools v0.1.5
	github.com/firmward/firmward v0.0.0
	github.com/hashicorp/go-version v1.9.0
	github.com/knqyf263/go-deb-version v0.0.0-20241115132648-6f4aee6ccd23
	github.com/knqyf263/go-rpm-version v0.0.0-20260811110310-1815e1f1b790
	golang.org/x/mod v0.42.0
)

require (
	github.com/ProtonMail/go-crypto v1.3.0 // indirect
	github.com/cloudflare/circl v1.6.0 // indirect
	github.com/facebookincubator/flog v0.0.0-20190930132826-d2511d0ce33c // indirect
	github.com/pandatix/go-cvss v0.6.4 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

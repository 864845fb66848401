"""Sources against real daemons, agents and machines in network namespaces; no NetBox takes part."""

"""Serve's own server in each replica, kept from other machines."""

import ray
from ray.serve._private import replica


def keep_to_loopback() -> None:
    """Where Ray is on loopback alone, let this replica's server for calls between deployments listen there alone, too.

    Ray 2.60 binds it to every interface, and it unpickles what anybody sends, which is to run their code. For a replica to call as it is
    made: its server begins to listen after that.
    """
    if ray.util.get_node_ip_address() != "127.0.0.1":
        return
    listen = replica.add_port_to_grpc_server
    replica.add_port_to_grpc_server = lambda server, address: listen(server, address.replace("[::]", "127.0.0.1"))

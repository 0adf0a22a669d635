"""Decisions sent to others: MQTT brokers and webhooks, from a bounded queue that never delays a decision.

May import `core` alone. Begin with `delivery_queue` (when something is sent, again, or no more), then `receiver` (what
one is), `receiver_address` (what its address may be), and the two of them: `mqtt_receiver`, `webhook_receiver`.
"""

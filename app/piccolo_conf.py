"""The engine all tables use; Piccolo finds it by PICCOLO_CONF."""

from piccolo.conf.apps import AppRegistry

from app.core.database import make_engine
from app.core.settings import load_settings

DB = make_engine(load_settings().require_postgres())

APP_REGISTRY = AppRegistry(apps=["app.piccolo_app"])

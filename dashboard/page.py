"""The page that Streamlit serves: choose a workload, then a view."""

import streamlit as st

from dashboard import views
from dashboard.athena import Unanswered
from dashboard.workloads import Workload, workloads

st.set_page_config(page_title="Forecasts", page_icon="📈", layout="wide", initial_sidebar_state="auto")


def _chosen() -> Workload | None:
    """The workload of the side bar; the page's address remembers it, and the session from view to view."""
    found = workloads()
    if not found:
        return None
    known = {one.slug: one for one in found}
    if st.session_state.get("workload") not in known:
        asked = st.query_params.get("workload", "")
        st.session_state["workload"] = asked if asked in known else found[0].slug
    slug = st.sidebar.selectbox("Workload", list(known), key="workload")
    st.query_params["workload"] = slug
    return known[slug]


def main() -> None:
    """Draw the page."""
    pages = [
        st.Page(views.forecast, title="Forecast", icon=":material/trending_up:", default=True),
        st.Page(views.looking_back, title="Looking back", icon=":material/history:"),
        st.Page(views.accuracy, title="Accuracy", icon=":material/target:"),
        st.Page(views.runs, title="Runs", icon=":material/list:"),
    ]
    page = st.navigation(pages)
    try:
        workload = _chosen()
        if workload is None:
            st.title("Forecasts")
            st.info(
                "There is no workload yet. Upload a CSV file (`make demo` does it for you); "
                "this page shows the forecast as soon as it is published."
            )
            return
        st.session_state["shown"] = workload
        page.run()
    except Unanswered as error:
        st.error(str(error))


main()
